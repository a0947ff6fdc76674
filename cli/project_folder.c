#include "cli/project_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/drop.h"
#include "base/error.h"

#define FOLDER_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
#define STATE_MODE   0700

struct share {
	uid_t owner, user;
	gid_t group;
	dev_t device;
	unsigned left; /* of PROJECT_FOLDER_FILES_MAX */
};

int project_folder_open(int project_fd, const char **ret_name, struct error *err)
{
	static const char *const names[] = {PROJECT_FOLDER_NAME, PROJECT_FOLDER_OLD_NAME};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		int fd = openat(project_fd, names[i], FOLDER_FLAGS);

		if (fd >= 0 && ret_name)
			*ret_name = names[i];
		if (fd >= 0)
			return fd;
		if (errno == ENOTDIR || errno == ELOOP)
			return error_set(err, ENOTDIR, "%s: it is no folder", names[i]);
		if (errno != ENOENT)
			return error_errno(err, "%s", names[i]);
	}
	return error_set(err, ENOENT, "there is no folder %s here", PROJECT_FOLDER_NAME);
}

static int find_user(struct share *share, struct error *err)
{
	const struct passwd *user;

	errno = 0;
	user = getpwnam(DROP_USER);
	if (!user)
		return error_set(err, errno ? errno : ENOENT, "there is no user %s", DROP_USER);
	share->user = user->pw_uid;
	share->group = user->pw_gid;
	return 0;
}

int project_folder_check_entrance(int project_fd, struct error *err)
{
	struct share share;
	struct stat st;
	mode_t needed = S_IXOTH;
	int r = find_user(&share, err);

	if (r < 0)
		return r;
	if (fstat(project_fd, &st) < 0)
		return error_errno(err, "its mode");
	if (st.st_uid == share.user)
		needed = S_IXUSR;
	else if (st.st_gid == share.group)
		needed = S_IXGRP;
	if (st.st_mode & needed)
		return 0;
	return error_set(err, EACCES, "agentd, which is user %s, cannot enter it", DROP_USER);
}

static bool is_own(const struct share *share, const struct stat *st)
{
	return st->st_dev == share->device &&
	       (st->st_uid == share->owner || st->st_uid == share->user) &&
	       (S_ISDIR(st->st_mode) || (S_ISREG(st->st_mode) && st->st_nlink == 1));
}

static int share_all(struct share *share, int fd, unsigned depth, struct error *err);

/* What cannot be opened or is not the folder's own stays as it is: agentd says so when it needs it. */
static int share_one(
	struct share *share, int dirfd, const char *name, unsigned depth, struct error *err)
{
	auto_close int fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;
	mode_t mode;

	if (fd < 0 || fstat(fd, &st) < 0 || !is_own(share, &st))
		return 0;
	if (share->left-- == 0)
		return error_set(err, E2BIG, "%s: more than %d files", PROJECT_FOLDER_NAME,
			PROJECT_FOLDER_FILES_MAX);
	mode = (st.st_mode & 01777) | (S_ISDIR(st.st_mode) ? 02070 : 0060);
	if (st.st_gid != share->group && fchown(fd, (uid_t)-1, share->group) < 0)
		return error_errno(err, "%s: give it to group %s", name, DROP_USER);
	if ((st.st_mode & 07777) != mode && fchmod(fd, mode) < 0)
		return error_errno(err, "%s: its mode", name);
	return S_ISDIR(st.st_mode) ? share_all(share, fd, depth + 1, err) : 0;
}

static int share_all(struct share *share, int fd, unsigned depth, struct error *err)
{
	int own = openat(fd, ".", FOLDER_FLAGS);
	DIR *folder = own < 0 ? NULL : fdopendir(own);
	const struct dirent *entry;
	int r = 0;

	if (!folder) {
		fd_close(own);
		return error_errno(err, "%s", PROJECT_FOLDER_NAME);
	}
	while (r == 0 && depth <= PROJECT_FOLDER_DEPTH_MAX && (entry = readdir(folder)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
			(depth > 0 || strcmp(entry->d_name, PROJECT_FOLDER_STATE) != 0))
			r = share_one(share, fd, entry->d_name, depth, err);
	closedir(folder);
	return r;
}

int project_folder_share(int folder_fd, struct error *err)
{
	struct share share = {.left = PROJECT_FOLDER_FILES_MAX};
	struct stat st;
	int r = find_user(&share, err);

	if (r < 0)
		return r;
	if (fstat(folder_fd, &st) < 0)
		return error_errno(err, "%s", PROJECT_FOLDER_NAME);
	share.owner = st.st_uid;
	share.device = st.st_dev;
	if (fchown(folder_fd, (uid_t)-1, share.group) < 0 ||
		fchmod(folder_fd, (st.st_mode & 01777) | 02070) < 0)
		return error_errno(err, "%s: give it to group %s", PROJECT_FOLDER_NAME, DROP_USER);
	return share_all(&share, folder_fd, 0, err);
}

int project_folder_make_state(int folder_fd, struct error *err)
{
	auto_close int fd = -1;
	struct share share;
	struct stat st;
	int r = find_user(&share, err);

	if (r < 0)
		return r;
	if (mkdirat(folder_fd, PROJECT_FOLDER_STATE, STATE_MODE) < 0 && errno != EEXIST)
		return error_errno(err, "make %s", PROJECT_FOLDER_STATE);
	fd = openat(folder_fd, PROJECT_FOLDER_STATE, FOLDER_FLAGS);
	if (fd < 0 || fstat(fd, &st) < 0)
		return error_errno(err, "%s", PROJECT_FOLDER_STATE);
	if (fchown(fd, share.user, share.group) < 0 || fchmod(fd, STATE_MODE) < 0)
		return error_errno(err, "%s: give it to user %s", PROJECT_FOLDER_STATE, DROP_USER);
	return 0;
}
