/*
 * init.c - hearth init: the files of a project with one agent, to begin with.
 *
 * What is there is kept, whatever it says. Made by root in somebody's folder, the files are that person's.
 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "cli/cli.h"
#include "cli/init_files.h"
#include "cli/project_folder.h"

#define FOLDER_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

struct init {
	const struct cli *cli;
	const char *directory; /* as the caller wrote it */
	int project;
	uid_t owner; /* of the project's folder */
	json_t *made, *kept;
};

static void note(struct init *init, const char *name, bool is_made)
{
	json_array_append_new(is_made ? init->made : init->kept, json_string(name));
	if (!init->cli->json && (is_made || !init->cli->quiet))
		printf("%s%s\n", init->cli->quiet ? "" : is_made ? "made " : "kept ", name);
}

/* Who is not root makes files of his own. */
static int own(const struct init *init, int fd, struct error *err)
{
	if (geteuid() != 0 || fchown(fd, init->owner, (gid_t)-1) == 0)
		return 0;
	return error_errno(err, "give it to the owner of %s", init->directory);
}

/* Returns the folder's descriptor, or -errno. */
static int make_folder(
	struct init *init, int dirfd, const char *name, const char *path, struct error *err)
{
	bool is_made = mkdirat(dirfd, name, 0755) == 0;
	auto_close int fd = is_made || errno == EEXIST ? openat(dirfd, name, FOLDER_FLAGS) : -1;

	if (fd < 0)
		return error_errno(err, "%s/%s", init->directory, path);
	if (is_made && own(init, fd, err) < 0)
		return -err->code;
	return take_fd(&fd);
}

static int make_file(struct init *init, int dirfd, const char *name, const char *path,
	const char *text, struct error *err)
{
	auto_close int fd =
		openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	int r;

	if (fd < 0 && errno == EEXIST) {
		note(init, path, false);
		return 0;
	}
	if (fd < 0)
		return error_errno(err, "%s/%s", init->directory, path);
	r = fd_write_full(fd, text, strlen(text));
	if (r < 0) {
		unlinkat(dirfd, name, 0); /* half a file would be kept by the next init */
		return error_set(err, -r, "%s/%s: %s", init->directory, path, strerror(-r));
	}
	note(init, path, true);
	return own(init, fd, err);
}

/* Folder by folder, so that no link leads elsewhere. A path that ends in '/' is a folder. */
static int make_path(struct init *init, const char *path, const char *text, struct error *err)
{
	auto_close int dirfd = dup(init->project);
	const char *at = path;

	for (size_t length; dirfd >= 0 && at[length = strcspn(at, "/")]; at += length + 1) {
		char name[INIT_FILES_PATH_MAX];
		int fd;

		snprintf(name, sizeof(name), "%.*s", (int)length, at);
		fd = make_folder(init, dirfd, name, path, err);
		if (fd < 0)
			return fd;
		close(dirfd);
		dirfd = fd;
	}
	return *at ? make_file(init, dirfd, at, path, text, err) : 0;
}

/* The name of the project is that of its folder. */
static char *make_settings(const struct init *init)
{
	auto_free char *path = realpath(init->directory, NULL);
	const char *slash = path ? strrchr(path, '/') : NULL;
	json_t *name = slash && slash[1] ? json_string(slash + 1) : NULL;
	json_auto_t *settings = json_pack("{s:o}", "project", name ? name : json_string("project"));
	auto_free char *text = json_dumps(settings, JSON_INDENT(2));
	char *line = NULL;

	return text && asprintf(&line, "%s\n", text) >= 0 ? line : NULL;
}

static int make_all(struct init *init, struct error *err)
{
	auto_free char *settings = make_settings(init);
	auto_close int folder = -1;
	int r = settings ? 0 : error_set(err, ENOMEM, "out of memory");

	for (unsigned i = 0; r == 0 && i < init_file_count; i++)
		r = make_path(init, init_files[i].path,
			init_files[i].text ? init_files[i].text : settings, err);
	if (r < 0 || geteuid() != 0)
		return r;
	folder = project_folder_open(init->project, NULL, err);
	r = folder < 0 ? folder : project_folder_share(folder, err);
	return r == -ENOENT ? 0 : r; /* no user hearth yet: hearth start does it again */
}

/* A folder of the other name would not be looked at any more beside ours. */
static bool has_old_folder(const struct init *init)
{
	struct stat st;

	return fstatat(init->project, PROJECT_FOLDER_NAME, &st, AT_SYMLINK_NOFOLLOW) < 0 &&
	       fstatat(init->project, PROJECT_FOLDER_OLD_NAME, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static int init_project(struct init *init, struct error *err)
{
	struct stat st;
	int r = file_make_directories(init->directory, 0755, err);

	if (r < 0)
		return r;
	init->project = open(init->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (init->project < 0 || fstat(init->project, &st) < 0)
		return error_errno(err, "%s", init->directory);
	init->owner = st.st_uid;
	if (has_old_folder(init)) {
		note(init, PROJECT_FOLDER_OLD_NAME "/", false);
		return 0;
	}
	return make_all(init, err);
}

int cli_init(struct cli *cli, int argc, char **argv)
{
	struct init init = {.cli = cli,
		.directory = argc > 1 ? argv[1] : ".",
		.project = -1,
		.made = json_array(),
		.kept = json_array()};
	struct error err;
	int r = init_project(&init, &err);

	fd_close(init.project);
	if (r == 0 && cli->json)
		cli_print_json(json_pack("{s:s, s:O, s:O}", "directory", init.directory, "made",
			init.made, "kept", init.kept));
	else if (r == 0 && !cli->quiet)
		printf("hearth: next: %s%s%shearth start, as root; hearth agent validate checks "
		       "what you change\n",
			argc > 1 ? "cd " : "", argc > 1 ? argv[1] : "", argc > 1 ? " && " : "");
	json_decref(init.made);
	json_decref(init.kept);
	return r < 0 ? cli_fail(cli, &err, NULL) : CLI_OK;
}
