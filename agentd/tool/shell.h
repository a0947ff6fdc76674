/*
 * shell.h - a command line wrapped so that its session has something of it: where it ended, and its text.
 *
 * The wrapper runs the command line by eval in the shell that was asked for, and changes neither its
 * output nor its exit status. When that shell ends by itself, SHELL_CWD_FILE in the sandbox says where it
 * was; after exec, a signal or a timeout nobody says it, and the session stays where it was. Of command
 * lines that run at the same time the last to end counts, or none.
 */
#ifndef AGENTD_TOOL_SHELL_H
#define AGENTD_TOOL_SHELL_H
#include <stdbool.h>
#include <stddef.h>

#include "agentd/tool/tool.h"

#define SHELL_CWD_FILE	 "/tmp/.hearth-cwd"
#define SHELL_HISTORY	 "/.hearth/history" /* below the workspace */
#define SHELL_MARK_SIZE	 17		    /* hexadecimal digits and terminator */
#define SHELL_SCRIPT_MAX 1536
#define SHELL_ANSWER_MAX (TOOL_PATH_MAX + SHELL_MARK_SIZE + 1) /* bytes of SHELL_CWD_FILE */

struct shell_wrap {
	char mark[SHELL_MARK_SIZE]; /* tells this command's answer from an older one */
	char script[SHELL_SCRIPT_MAX];
	char history[TOOL_PATH_MAX]; /* "HISTFILE=..." */
	const char *env[2];	     /* that, if there is a workspace, and NULL */
	const char *argv[7];	     /* borrows script and the command line */
};

/* Neither shell nor command may go before the wrap is used. 0 or -errno. */
int shell_wrap(struct shell_wrap *wrap, const struct tool_shell *shell, const char *command,
	bool has_bash, struct error *err);
/* As shell_wrap(), with script as what runs the command line, "$1", after it went to the history. */
int shell_wrap_script(struct shell_wrap *wrap, const struct tool_shell *shell, const char *command,
	const char *script, struct error *err);

/* What SHELL_CWD_FILE holds, which is hostile, becomes the cwd. False: nothing of use, and it stays. */
bool shell_learn(struct tool_shell *shell, const char *mark, const char *data, size_t size);
#endif
