"""`python -m provisioning` runs the service."""

from chassis.runtime import run
from chassis.settings import read_settings
from provisioning.app import build
from provisioning.settings import ProvisioningSettings

if __name__ == "__main__":
    settings = read_settings(ProvisioningSettings)
    raise SystemExit(run(build(settings), settings))
