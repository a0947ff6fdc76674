sbin_PROGRAMS += hearth-agentd
hearth_agentd_SOURCES = agentd/main.c
hearth_agentd_CPPFLAGS = $(AM_CPPFLAGS) $(EVENT_CFLAGS) $(JANSSON_CFLAGS)
hearth_agentd_LDADD = librpc.a libproto.a libbase.a $(EVENT_LIBS) $(JANSSON_LIBS) $(INIH_LIBS)
