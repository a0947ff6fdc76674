/* unix_socket.h: where a socket may be, and paths longer than sun_path. */
#define _GNU_SOURCE 1 /* O_DIRECTORY, SOCK_CLOEXEC */
#include "tests/unit/socket_fixture.h"

#include <errno.h>
#include <sys/stat.h>

#include "base/file.h"

static void path_may_be_relative_to_a_directory_fd(void **state)
{
	struct fixture *f = *state;
	auto_close int client = -1;

	f->listener = unix_socket_listen(f->dirfd, "s", SOCK_STREAM, 0600, (gid_t)-1, &f->err);
	assert_true(f->listener >= 0);
	assert_int_equal(access(f->path, F_OK), 0);
	client = unix_socket_connect(f->dirfd, "s", SOCK_STREAM, &f->err);
	assert_true(client >= 0);
	talk(f->listener, client);
}

static void path_longer_than_sun_path_works(void **state)
{
	struct fixture *f = *state;
	auto_close int client = -1;
	char part[101], path[512], socket_path[600];
	struct stat st;

	memset(part, 'd', sizeof(part) - 1);
	part[sizeof(part) - 1] = '\0';
	snprintf(path, sizeof(path), "%s/%s/%s/%s", f->directory, part, part, part);
	assert_int_equal(file_make_directories(path, 0700, &f->err), 0);
	snprintf(socket_path, sizeof(socket_path), "%s/s", path);
	for (int round = 0; round < 2; round++) { /* the second finds a stale one */
		f->listener = unix_socket_listen(
			AT_FDCWD, socket_path, SOCK_SEQPACKET, 0640, (gid_t)-1, &f->err);
		assert_true(f->listener >= 0);
		assert_int_equal(stat(socket_path, &st), 0);
		assert_int_equal(st.st_mode & 07777, 0640);
		client = unix_socket_connect(AT_FDCWD, socket_path, SOCK_SEQPACKET, &f->err);
		assert_true(client >= 0);
		talk(f->listener, client);
		fd_close(take_fd(&client));
		fd_close(take_fd(&f->listener));
	}
	unlink(socket_path);
	for (int i = 0; i < 3; i++) {
		rmdir(path);
		*strrchr(path, '/') = '\0';
	}
}

static void name_that_does_not_fit_is_refused(void **state)
{
	struct fixture *f = *state;
	char name[UNIX_SOCKET_NAME_MAX + 2];

	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(unix_socket_listen(f->dirfd, name, SOCK_STREAM, 0600, (gid_t)-1, &f->err),
		-ENAMETOOLONG);
	assert_int_equal(unix_socket_connect(f->dirfd, name, SOCK_STREAM, &f->err), -ENAMETOOLONG);
	name[UNIX_SOCKET_NAME_MAX] = '\0';
	f->listener = unix_socket_listen(f->dirfd, name, SOCK_STREAM, 0600, (gid_t)-1, &f->err);
	assert_true(f->listener >= 0);
	unlinkat(f->dirfd, name, 0);
}

static void path_without_a_name_is_refused(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(
		unix_socket_connect(AT_FDCWD, "/tmp/", SOCK_STREAM, &f->err), -ENAMETOOLONG);
	assert_int_equal(unix_socket_connect(AT_FDCWD, "", SOCK_STREAM, &f->err), -ENAMETOOLONG);
}

static void missing_directory_is_told(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(unix_socket_listen(
				 AT_FDCWD, "/nonexistent/s", SOCK_STREAM, 0600, (gid_t)-1, &f->err),
		-ENOENT);
	assert_non_null(strstr(f->err.text, "/nonexistent/"));
}

static void path_that_no_kernel_takes_is_refused(void **state)
{
	struct fixture *f = *state;
	char path[5000];

	memset(path, '/', sizeof(path) - 2);
	path[sizeof(path) - 2] = 's';
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(unix_socket_connect(AT_FDCWD, path, SOCK_STREAM, &f->err), -ENAMETOOLONG);
}

static void directory_that_takes_no_sockets_is_told(void **state)
{
	struct fixture *f = *state;

	assert_true(unix_socket_listen(
			    AT_FDCWD, "/proc/hearth", SOCK_STREAM, 0600, (gid_t)-1, &f->err) < 0);
	assert_non_null(strstr(f->err.text, "listen on /proc/hearth: bind: "));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(path_may_be_relative_to_a_directory_fd),
		T(path_longer_than_sun_path_works),
		T(name_that_does_not_fit_is_refused),
		T(path_without_a_name_is_refused),
		T(missing_directory_is_told),
		T(path_that_no_kernel_takes_is_refused),
		T(directory_that_takes_no_sockets_is_told),
	};

	return cmocka_run_group_tests_name("base/unix_socket, paths", tests, NULL, NULL);
}
