# see tests/local.mk
include tests/e2e/cli.mk
include tests/e2e/agentd.mk

E2E_TESTS += tests/e2e/network.py tests/e2e/registries.py tests/e2e/workspace.py
