/* init_files.h - what hearth init writes: one agent that programs, with one skill. */
#ifndef CLI_INIT_FILES_H
#define CLI_INIT_FILES_H
#define INIT_FILES_PATH_MAX 64

struct init_file {
	const char *path; /* below the project; one that ends in '/' is a folder */
	const char *text; /* NULL: made when it is known how the project is called */
};

extern const struct init_file init_files[];
extern const unsigned init_file_count;
#endif
