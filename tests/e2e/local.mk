# see tests/local.mk
include tests/e2e/cli.mk
