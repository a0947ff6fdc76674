LINT_TESTS += \
	tests/lint/format.sh \
	tests/lint/layers.sh \
	tests/lint/shellcheck.sh \
	tests/lint/size.sh \
	tests/lint/text.sh
EXTRA_DIST += tests/lint/common.sh
