noinst_LIBRARIES += libpool.a
libpool_a_SOURCES = \
	pool/budget.c \
	pool/check.c \
	pool/demand.c pool/demand.h \
	pool/due.c pool/due.h \
	pool/leases.c pool/leases.h \
	pool/policy.c pool/policy.h \
	pool/pool.c pool/pool.h \
	pool/waiters.c pool/waiters.h
EXTRA_DIST += docs/pool.md
