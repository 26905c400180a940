"""Pure statistics of the judge. Standard library only, no clock, no Django: values in, evidence out.

Evidence is the logarithm of an e-value (Vovk and Wang 2021; Ramdas et al. 2023): a number that under "the new release
is no worse" is below 1 on average at every moment, however often one looks. By Ville's inequality it reaches K in at
most one window of K. docs/judge.md says which assumption each one leans on, and what was measured.
"""
