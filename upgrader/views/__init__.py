"""The doors of the browser: fetch, call one function, render."""
