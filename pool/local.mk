noinst_LIBRARIES += libpool.a
libpool_a_SOURCES = \
	pool/budget.c \
	pool/check.c \
	pool/policy.c pool/policy.h \
	pool/pool.c pool/pool.h
EXTRA_DIST += docs/pool.md
