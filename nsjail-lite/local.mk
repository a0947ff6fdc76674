# Host side, glibc.
noinst_LIBRARIES += libjail.a
libjail_a_SOURCES = \
	nsjail-lite/builder/link.c nsjail-lite/builder/link.h \
	nsjail-lite/builder_host.c nsjail-lite/builder_host.h \
	nsjail-lite/cgroup/cgroup.c nsjail-lite/cgroup/cgroup.h \
	nsjail-lite/cgroup/discover.c nsjail-lite/cgroup/discover.h \
	nsjail-lite/jail.c nsjail-lite/jail.h \
	nsjail-lite/seccomp.c nsjail-lite/seccomp.h \
	nsjail-lite/seccomp_policy.c nsjail-lite/seccomp_policy.h \
	nsjail-lite/uid_ranges.c nsjail-lite/uid_ranges.h
libjail_a_CPPFLAGS = $(AM_CPPFLAGS) $(SECCOMP_CFLAGS)

bin_PROGRAMS += nsjail-lite/nsjail-lite
nsjail_lite_nsjail_lite_SOURCES = nsjail-lite/main.c
nsjail_lite_nsjail_lite_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS)
nsjail_lite_nsjail_lite_LDADD = libimages.a libjail.a libproto.a libbase.a \
	$(SECCOMP_LIBS) $(JANSSON_LIBS) $(CRYPTO_LIBS) $(INIH_LIBS)

# The guest's modules, also built with glibc so that unit tests and sanitizers reach them.
guest_sources = \
	nsjail-lite/guest/main.c nsjail-lite/guest/guest.h

# Builder, child and guest: one musl-static program.
builder_sources = \
	base/error.c base/fd.c base/file.c base/number.c base/text.c \
	proto/channel.c proto/check.c proto/guest.c \
	nsjail-lite/jail.c nsjail-lite/builder/link.c \
	nsjail-lite/cgroup/cgroup.c \
	nsjail-lite/builder/main.c nsjail-lite/builder/slot.c nsjail-lite/builder/root.c \
	nsjail-lite/builder/build.c nsjail-lite/builder/tree.c \
	nsjail-lite/child/child.c nsjail-lite/child/mounts.c \
	$(guest_sources)
pkglibexec_SCRIPTS += nsjail-lite/hearth-builder
EXTRA_DIST += $(builder_sources)
CLEANFILES += nsjail-lite/hearth-builder
