/*
 * project_folder.h - the folder .hearth (or .polpo) of a project, and what agentd may do in it.
 *
 * The project is its owner's, agentd is user hearth: the folder's files get its group, so that agents keep their
 * memory there. Root does that to files of somebody else: every step is by descriptor, no link is followed, and what
 * is not the folder's own is left alone.
 */
#ifndef CLI_PROJECT_FOLDER_H
#define CLI_PROJECT_FOLDER_H
struct error;

#define PROJECT_FOLDER_NAME	 ".hearth"
#define PROJECT_FOLDER_OLD_NAME	 ".polpo"
#define PROJECT_FOLDER_STATE	 "state"
#define PROJECT_FOLDER_DEPTH_MAX 8     /* folders in each other */
#define PROJECT_FOLDER_FILES_MAX 10000 /* files and folders */

/* The folder of the project that project_fd is open on: its descriptor, and its name in *ret_name (may be NULL). -ENOENT: it has none. */
int project_folder_open(int project_fd, const char **ret_name, struct error *err);

/* agentd, which is user hearth, reads by this descriptor: -EACCES where modes forbid that. */
int project_folder_check_entrance(int project_fd, struct error *err);

/*
 * Give what is in it to group hearth: folders g+rwxs, files g+rw. Not state, nor links, files with several names and
 * files of others than the folder's owner and hearth. Root only. 0 or -errno.
 */
int project_folder_share(int folder_fd, struct error *err);

/* Make its folder state, owned by user hearth and closed to others. Root only. 0 or -errno. */
int project_folder_make_state(int folder_fd, struct error *err);
#endif
