# Networks of tests: a world to be in (network_world.py), a program to use it from inside.
network_probe_sources = tests/network_probe.c tests/network_probe_many.c
tests/network-probe: $(network_probe_sources) tests/network_probe.h
	$(AM_V_CCLD)$(MKDIR_P) tests && out=$$(pwd)/$@ && cd $(top_srcdir) && \
	$(MUSL_CC) -I. -D_GNU_SOURCE $(MUSL_CPPFLAGS) $(musl_cflags) $(musl_ldflags) -s -o $$out \
		$(network_probe_sources)
check-system: tests/network-probe
CLEANFILES += tests/network-probe
EXTRA_DIST += $(network_probe_sources) tests/network_probe.h tests/network_world.py tests/network_servers.py tests/network_guest.py
