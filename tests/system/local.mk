# Root: these make sandboxes. See tests/local.mk.
check_LIBRARIES += libjailfixture.a
libjailfixture_a_SOURCES = tests/system/jail_fixture.c tests/system/jail_fixture.h
libjailfixture_a_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
jail_fixture_libs = libjailfixture.a libjail.a libproto.a libbase.a $(SECCOMP_LIBS) $(CMOCKA_LIBS)

SYSTEM_BINARIES += tests/system/jail_inside.test
tests_system_jail_inside_test_SOURCES = tests/system/jail_inside.c
tests_system_jail_inside_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_system_jail_inside_test_LDADD = $(jail_fixture_libs)

SYSTEM_BINARIES += tests/system/jail_limits.test
tests_system_jail_limits_test_SOURCES = tests/system/jail_limits.c
tests_system_jail_limits_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_system_jail_limits_test_LDADD = $(jail_fixture_libs)

SYSTEM_BINARIES += tests/system/jail_faults.test
tests_system_jail_faults_test_SOURCES = tests/system/jail_faults.c
tests_system_jail_faults_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_system_jail_faults_test_LDADD = $(jail_fixture_libs)
EXTRA_tests_system_jail_faults_test_DEPENDENCIES = tests/system/hearth-builder-faulty

# A builder whose n-th step fails: see tests/fake/builder_faults.c.
faulty_calls = build_sandbox slot_create bind_sandbox bind_make_spare guest_main syscall setns unshare write read sethostname setpriority setsid dup2 \
	dup3 setrlimit fchdir chroot mount umount2 mkdirat fchown fchownat socketpair
tests/system/hearth-builder-faulty: tests/fake/builder_faults.c $(builder_sources) $(builder_headers)
	$(AM_V_CCLD)$(MKDIR_P) tests/system && out=$$(pwd)/$@ && cd $(top_srcdir) && \
	$(MUSL_CC) -I. -D_GNU_SOURCE $(MUSL_CPPFLAGS) $(musl_cflags) $(musl_ldflags) \
		$$(printf -- '-Wl,--wrap=%s\n' $(faulty_calls)) -o $$out tests/fake/builder_faults.c \
		$$(printf '%s\n' $(builder_sources) | grep '\.c$$')
CLEANFILES += tests/system/hearth-builder-faulty
EXTRA_DIST += tests/fake/builder_faults.c

SYSTEM_TESTS += tests/system/supervisor_start.py tests/system/supervisor_kill.py
EXTRA_DIST += tests/system/instance.py

SYSTEM_TESTS += tests/system/nsjail_lite.py tests/system/nsjail_lite_sandbox.py
EXTRA_DIST += tests/system/lite.py

# Many requests at once: tests/system/jail_calls.h.
libjailfixture_a_SOURCES += tests/system/jail_calls.c tests/system/jail_calls.h tests/system/patience.h

SYSTEM_BINARIES += tests/system/jail_guest.test
tests_system_jail_guest_test_SOURCES = tests/system/jail_guest.c
tests_system_jail_guest_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_system_jail_guest_test_LDADD = $(jail_fixture_libs)

SYSTEM_BINARIES += tests/system/jail_guest_storm.test
tests_system_jail_guest_storm_test_SOURCES = tests/system/jail_guest_storm.c
tests_system_jail_guest_storm_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_system_jail_guest_storm_test_LDADD = $(jail_fixture_libs)

SYSTEM_BINARIES += tests/system/jail_guest_files.test
tests_system_jail_guest_files_test_SOURCES = tests/system/jail_guest_files.c
tests_system_jail_guest_files_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_system_jail_guest_files_test_LDADD = $(jail_fixture_libs)

SYSTEM_BINARIES += tests/system/jail_cgroups.test
tests_system_jail_cgroups_test_SOURCES = tests/system/jail_cgroups.c
tests_system_jail_cgroups_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_system_jail_cgroups_test_LDADD = $(jail_fixture_libs)

SYSTEM_BINARIES += tests/system/jail_bases.test
tests_system_jail_bases_test_SOURCES = tests/system/jail_bases.c
tests_system_jail_bases_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_system_jail_bases_test_LDADD = $(jail_fixture_libs)

SYSTEM_BINARIES += tests/system/jail_uid_ranges.test
tests_system_jail_uid_ranges_test_SOURCES = tests/system/jail_uid_ranges.c
tests_system_jail_uid_ranges_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_system_jail_uid_ranges_test_LDADD = $(jail_fixture_libs)

SYSTEM_BINARIES += tests/system/jail_network.test
tests_system_jail_network_test_SOURCES = tests/system/jail_network.c
tests_system_jail_network_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_system_jail_network_test_LDADD = $(jail_fixture_libs)

SYSTEM_BINARIES += tests/system/jail_bind.test
tests_system_jail_bind_test_SOURCES = tests/system/jail_bind.c
tests_system_jail_bind_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_system_jail_bind_test_LDADD = $(jail_fixture_libs)

SYSTEM_BINARIES += tests/system/jail_freeze.test
tests_system_jail_freeze_test_SOURCES = tests/system/jail_freeze.c
tests_system_jail_freeze_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_system_jail_freeze_test_LDADD = $(jail_fixture_libs)

SYSTEM_BINARIES += tests/system/jail_reasons.test
tests_system_jail_reasons_test_SOURCES = tests/system/jail_reasons.c
tests_system_jail_reasons_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_system_jail_reasons_test_LDADD = $(jail_fixture_libs)

# What people run inside: one test a program.
SYSTEM_TESTS += tests/system/programs_packages.py tests/system/programs_tools.py
EXTRA_DIST += tests/system/inside.py

SYSTEM_BINARIES += tests/system/jail_io.test
tests_system_jail_io_test_SOURCES = tests/system/jail_io.c
tests_system_jail_io_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_system_jail_io_test_LDADD = $(jail_fixture_libs)

SYSTEM_BINARIES += tests/system/jail_crowd.test
tests_system_jail_crowd_test_SOURCES = tests/system/jail_crowd.c
tests_system_jail_crowd_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_system_jail_crowd_test_LDADD = $(jail_fixture_libs)

# hearth doctor on hosts that lack something: tests/system/without.c takes it away.
SYSTEM_TESTS += tests/system/doctor.py
check_PROGRAMS += tests/system/without
tests_system_without_SOURCES = tests/system/without.c
tests_system_without_CPPFLAGS = $(AM_CPPFLAGS) $(SECCOMP_CFLAGS)
tests_system_without_LDADD = $(SECCOMP_LIBS)

# The same checks on whatever kernel it is. The programs are looked for beside the caller.
SYSTEM_BINARIES += tests/system/doctor_here.test
tests_system_doctor_here_test_SOURCES = tests/system/doctor_here.c
tests_system_doctor_here_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_system_doctor_here_test_LDADD = $(jail_fixture_libs)
EXTRA_tests_system_doctor_here_test_DEPENDENCIES = \
	tests/system/hearth-builder tests/system/hearth-doctor-probe
tests/system/hearth-builder tests/system/hearth-doctor-probe: \
		nsjail-lite/hearth-builder nsjail-lite/hearth-doctor-probe
	$(AM_V_GEN)$(MKDIR_P) tests/system && cp nsjail-lite/$(@F) $@
CLEANFILES += tests/system/hearth-builder tests/system/hearth-doctor-probe

SYSTEM_BINARIES += tests/system/jail_image.test
tests_system_jail_image_test_SOURCES = tests/system/jail_image.c
tests_system_jail_image_test_CPPFLAGS = $(AM_CPPFLAGS) $(CMOCKA_CFLAGS)
tests_system_jail_image_test_LDADD = $(jail_fixture_libs)
