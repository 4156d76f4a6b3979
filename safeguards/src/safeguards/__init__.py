"""Pure rules that both the deciding and the provisioning side apply: the hosting gate and the output check."""
