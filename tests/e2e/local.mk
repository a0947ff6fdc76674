# see tests/local.mk
include tests/e2e/cli.mk
include tests/e2e/agentd.mk
