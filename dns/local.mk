# hearth-dns: answers the sandboxes' DNS queries, unprivileged. What it decides is apart, for tests without a loop.
noinst_LIBRARIES += libdns.a
libdns_a_SOURCES = \
	dns/domains.c dns/domains.h \
	dns/message.c dns/message.h \
	dns/policy.c dns/policy.h \
	dns/sandboxes.c dns/sandboxes.h

pkglibexec_PROGRAMS += hearth-dns
hearth_dns_SOURCES = \
	dns/confine.c dns/confine.h \
	dns/filter.c dns/filter.h \
	dns/link.c dns/link.h \
	dns/main.c \
	dns/query.c dns/query.h \
	dns/server.c dns/server.h
hearth_dns_CPPFLAGS = $(AM_CPPFLAGS) $(EVDNS_CFLAGS) $(SECCOMP_CFLAGS)
hearth_dns_LDADD = libdns.a libproto.a libbase.a $(EVDNS_LIBS) $(EVENT_LIBS) $(SECCOMP_LIBS)
