# What a tenant leaves and the next one looks for: see tests/residue/residue.py.
residue_sources = tests/residue/probe.c tests/residue/probe_files.c tests/residue/probe_ipc.c \
	tests/residue/probe_memory.c tests/residue/probe_net.c tests/residue/probe_processes.c
tests/residue/residue-probe: $(residue_sources) tests/residue/probe.h
	$(AM_V_CCLD)$(MKDIR_P) tests/residue && out=$$(pwd)/$@ && cd $(top_srcdir) && \
	$(MUSL_CC) -I. -D_GNU_SOURCE $(MUSL_CPPFLAGS) $(musl_cflags) $(musl_ldflags) -s -o $$out $(residue_sources)
check-system: tests/residue/residue-probe
SYSTEM_TESTS += tests/residue/residue.py tests/residue/network.py
CLEANFILES += tests/residue/residue-probe
EXTRA_DIST += $(residue_sources) tests/residue/probe.h tests/residue/late.py tests/lease.py tests/probe_image.py
