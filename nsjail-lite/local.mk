# Host side, glibc.
noinst_LIBRARIES += libjail.a
libjail_a_SOURCES = \
	nsjail-lite/builder/link.c nsjail-lite/builder/link.h \
	nsjail-lite/builder_host.c nsjail-lite/builder_host.h \
	nsjail-lite/cgroup/cgroup.c nsjail-lite/cgroup/cgroup.h \
	nsjail-lite/cgroup/discover.c nsjail-lite/cgroup/discover.h \
	nsjail-lite/cgroup/knobs.c nsjail-lite/cgroup/knobs.h \
	nsjail-lite/enforced.c nsjail-lite/enforced.h \
	nsjail-lite/image_mount.c nsjail-lite/image_mount.h \
	nsjail-lite/io_disk.c nsjail-lite/io_disk.h \
	nsjail-lite/jail.c nsjail-lite/jail.h \
	nsjail-lite/network/network_host.c nsjail-lite/network/network_host.h \
	nsjail-lite/network/network_link.c nsjail-lite/network/network_link.h \
	nsjail-lite/program.c nsjail-lite/program.h \
	nsjail-lite/seccomp.c nsjail-lite/seccomp.h nsjail-lite/seccomp_evaluate.c \
	nsjail-lite/seccomp_policy.c nsjail-lite/seccomp_policy.h \
	nsjail-lite/one_shot.c nsjail-lite/one_shot.h \
	nsjail-lite/run_file.c nsjail-lite/run_file.h \
	nsjail-lite/uid_ranges.c nsjail-lite/uid_ranges.h \
	nsjail-lite/doctor/cgroups.c nsjail-lite/doctor/check.h \
	nsjail-lite/doctor/confinement.c \
	nsjail-lite/doctor/doctor.c nsjail-lite/doctor/doctor.h \
	nsjail-lite/doctor/facts.c \
	nsjail-lite/doctor/filter.c \
	nsjail-lite/doctor/firewall.c \
	nsjail-lite/doctor/mounts.c \
	nsjail-lite/doctor/namespaces.c \
	nsjail-lite/doctor/networks.c \
	nsjail-lite/doctor/privileges.c \
	nsjail-lite/doctor/probe.h \
	nsjail-lite/doctor/sysctls.c \
	nsjail-lite/doctor/table.c \
	nsjail-lite/doctor/wire.c nsjail-lite/doctor/wire.h \
	nsjail-lite/doctor/world.h
libjail_a_CPPFLAGS = $(AM_CPPFLAGS) $(SECCOMP_CFLAGS)

bin_PROGRAMS += nsjail-lite/nsjail-lite
nsjail_lite_nsjail_lite_SOURCES = nsjail-lite/main.c nsjail-lite/options.c nsjail-lite/options.h
nsjail_lite_nsjail_lite_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS)
nsjail_lite_nsjail_lite_LDADD = libimages.a libjail.a libproto.a libbase.a \
	$(SECCOMP_LIBS) $(JANSSON_LIBS)

# The guest's modules, also built with glibc so that unit tests and sanitizers reach them.
guest_sources = \
	nsjail-lite/guest/child_fds.c nsjail-lite/guest/exec.c nsjail-lite/guest/file.c \
	nsjail-lite/guest/glob.c nsjail-lite/guest/grep.c nsjail-lite/guest/ignore.c \
	nsjail-lite/guest/input.c nsjail-lite/guest/job.c nsjail-lite/guest/limits.c \
	nsjail-lite/guest/list.c \
	nsjail-lite/guest/main.c nsjail-lite/guest/match.c nsjail-lite/guest/names.c \
	nsjail-lite/guest/open.c nsjail-lite/guest/outbox.c nsjail-lite/guest/place.c \
	nsjail-lite/guest/read.c nsjail-lite/guest/regex.c \
	nsjail-lite/guest/replace.c nsjail-lite/guest/request.c nsjail-lite/guest/runner.c \
	nsjail-lite/guest/search.c nsjail-lite/guest/source.c nsjail-lite/guest/spare.c \
	nsjail-lite/guest/stream.c nsjail-lite/guest/tree.c nsjail-lite/guest/walk.c nsjail-lite/guest/worker.c
guest_headers = \
	nsjail-lite/guest/child_fds.h nsjail-lite/guest/exec.h nsjail-lite/guest/file.h \
	nsjail-lite/guest/guest.h nsjail-lite/guest/ignore.h nsjail-lite/guest/input.h \
	nsjail-lite/guest/job.h nsjail-lite/guest/limits.h nsjail-lite/guest/loop.h nsjail-lite/guest/match.h \
	nsjail-lite/guest/names.h nsjail-lite/guest/open.h nsjail-lite/guest/outbox.h nsjail-lite/guest/place.h \
	nsjail-lite/guest/regex.h \
	nsjail-lite/guest/replace.h nsjail-lite/guest/request.h nsjail-lite/guest/runner.h \
	nsjail-lite/guest/search.h nsjail-lite/guest/source.h nsjail-lite/guest/spare.h \
	nsjail-lite/guest/stream.h nsjail-lite/guest/tree.h nsjail-lite/guest/walk.h nsjail-lite/guest/worker.h

# Builder, child and guest: one musl-static program, small enough to be compiled in one go.
builder_sources = \
	base/error.c base/fd.c base/file.c base/number.c base/process.c base/text.c \
	proto/channel.c proto/check.c proto/guest.c \
	nsjail-lite/jail.c nsjail-lite/builder/link.c \
	nsjail-lite/cgroup/cgroup.c nsjail-lite/cgroup/knobs.c \
	nsjail-lite/builder/main.c nsjail-lite/builder/given.c nsjail-lite/builder/slot.c nsjail-lite/builder/root.c \
	nsjail-lite/builder/ahead.c nsjail-lite/builder/build.c nsjail-lite/builder/bind.c nsjail-lite/builder/reap.c nsjail-lite/builder/tree.c \
	nsjail-lite/child/child.c nsjail-lite/child/mounts.c \
	$(guest_sources)
builder_headers = \
	base/cleanup.h base/clock.h base/error.h base/fd.h base/file.h base/hash.h base/list.h base/number.h \
	base/text.h proto/channel.h proto/check.h proto/control.h proto/guest.h \
	nsjail-lite/jail.h nsjail-lite/kernel.h nsjail-lite/cgroup/cgroup.h nsjail-lite/cgroup/knobs.h \
	nsjail-lite/builder/builder.h nsjail-lite/builder/link.h nsjail-lite/child/child.h \
	$(guest_headers)
# No PIE: relocations would dirty pages in every sandbox. musl's CMSG macros trip -Wconversion,
# under which the same sources are compiled with glibc.
musl_cflags = -std=gnu17 -O2 -g -Wall -Wextra -Wshadow -Wvla -Wformat=2 -Wstrict-prototypes \
	-Wmissing-prototypes -fstack-protector-strong -fno-pie
musl_ldflags = -static -no-pie -Wl,-z,noexecstack -Wl,-z,norelro

nsjail-lite/hearth-builder: $(builder_sources) $(builder_headers)
	$(AM_V_CCLD)$(MKDIR_P) nsjail-lite && out=$$(pwd)/$@ && cd $(top_srcdir) && \
	$(MUSL_CC) -I. -D_GNU_SOURCE $(MUSL_CPPFLAGS) $(musl_cflags) $(musl_ldflags) \
		-o $$out $$(printf '%s\n' $(builder_sources) | grep '\.c$$')

pkglibexec_SCRIPTS += nsjail-lite/hearth-builder
EXTRA_DIST += $(builder_sources) $(builder_headers)
CLEANFILES += nsjail-lite/hearth-builder

# What hearth doctor starts inside a sandbox.
pkglibexec_SCRIPTS += nsjail-lite/hearth-doctor-probe
EXTRA_DIST += nsjail-lite/doctor/probe.c
CLEANFILES += nsjail-lite/hearth-doctor-probe
nsjail-lite/hearth-doctor-probe: nsjail-lite/doctor/probe.c nsjail-lite/doctor/probe.h
	$(AM_V_CCLD)$(MKDIR_P) nsjail-lite && out=$$(pwd)/$@ && cd $(top_srcdir) && \
	$(MUSL_CC) -I. -D_GNU_SOURCE $(MUSL_CPPFLAGS) $(musl_cflags) $(musl_ldflags) -s \
		-o $$out nsjail-lite/doctor/probe.c
