E2E_TESTS += tests/e2e/agentd_base.py tests/e2e/agentd_limits.py tests/e2e/agentd_root.py tests/e2e/agentd_tiny.py \
	tests/e2e/admission.py tests/e2e/agent_node.py tests/e2e/agent_start.py tests/e2e/limits.py tests/e2e/metrics.py
EXTRA_DIST += tests/e2e/agent_node.mjs
