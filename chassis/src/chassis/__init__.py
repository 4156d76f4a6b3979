"""What every service needs and none is about: consuming, publishing, time, storage, health and telemetry."""
