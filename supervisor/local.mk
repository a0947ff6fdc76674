sbin_PROGRAMS += hearth-supervisor
hearth_supervisor_SOURCES = supervisor/main.c
hearth_supervisor_CPPFLAGS = $(AM_CPPFLAGS) $(EVENT_CFLAGS)
hearth_supervisor_LDADD = libpool.a libimages.a libjail.a libproto.a libbase.a \
	$(EVENT_LIBS) $(SECCOMP_LIBS) $(JANSSON_LIBS) $(CRYPTO_LIBS) $(INIH_LIBS)
