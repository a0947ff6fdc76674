# The host's end of all networks: hearth-network; what the supervisor needs to start it is in libjail.a.
noinst_LIBRARIES += libnetwork.a
libnetwork_a_SOURCES = \
	nsjail-lite/network/conntrack.c nsjail-lite/network/conntrack.h \
	nsjail-lite/network/forwarding.c nsjail-lite/network/forwarding.h \
	nsjail-lite/network/gateway.c nsjail-lite/network/gateway.h \
	nsjail-lite/network/links.c nsjail-lite/network/links.h nsjail-lite/network/links_private.h \
	nsjail-lite/network/links_clean.c nsjail-lite/network/links_make.c \
	nsjail-lite/network/netlink.c nsjail-lite/network/netlink.h \
	nsjail-lite/network/rules.c nsjail-lite/network/rules.h nsjail-lite/network/rules_private.h \
	nsjail-lite/network/rules_elements.c nsjail-lite/network/rules_text.c
libnetwork_a_CPPFLAGS = $(AM_CPPFLAGS) $(NL_ROUTE_CFLAGS) $(NFTABLES_CFLAGS) $(NFTNL_CFLAGS) $(MNL_CFLAGS)

pkglibexec_PROGRAMS += hearth-network
hearth_network_SOURCES = \
	nsjail-lite/network/main.c nsjail-lite/network/network.h \
	nsjail-lite/network/dns_child.c \
	nsjail-lite/network/privileges.c \
	nsjail-lite/network/requests.c
hearth_network_CPPFLAGS = $(AM_CPPFLAGS)
hearth_network_LDADD = libnetwork.a libjail.a libproto.a libbase.a \
	$(NL_ROUTE_LIBS) $(NFTABLES_LIBS) $(NFTNL_LIBS) $(MNL_LIBS)
