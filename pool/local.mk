noinst_LIBRARIES += libpool.a
libpool_a_SOURCES = \
	pool/pool.c pool/pool.h
