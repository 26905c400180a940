"""How it spreads. The Celery app is imported here, or `delay()` would try AMQP."""

from upgrader.celery import app as celery_app

__all__ = ["celery_app"]
