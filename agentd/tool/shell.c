#include "agentd/tool/shell.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/error.h"
#include "base/text.h"

/*
 * Each of these is one line, so that the shell counts the lines of the command line as without it, and
 * silent, whatever set -x, -e, -u or -C the command line has left behind.
 *
 * The file is none of the workspace's own: its folder has a .gitignore.
 */
#define NOTE                                                                                       \
	"{ [ -d \"${HISTFILE%/.hearth/*}\" ] && { [ -d \"${HISTFILE%/*}\" ] || "                   \
	"{ mkdir \"${HISTFILE%/*}\" && echo '*' >\"${HISTFILE%/*}/.gitignore\"; }; } && "          \
	"printf '%s\\n' \"$1\" >>\"$HISTFILE\"; } 2>/dev/null; "
/* The trap is for `exit` and `set -e`; what stands behind eval is for command lines with a trap of their own. */
#define SAY_CWD "{ command echo %s; command pwd -P; } >|" SHELL_CWD_FILE " || :; "
#define WRAP                                                                                       \
	"trap '{ set +x; " SAY_CWD "} 2>/dev/null' EXIT; eval \"$1\"; "                            \
	"{ set -- \"$?\"; set +x; " SAY_CWD "} 2>/dev/null; exit \"$1\""

static const char find_shell[] =
	"command -v bash >/dev/null 2>&1 && exec bash -c \"$2\" bash \"$1\"\n"
	"exec sh -c \"$2\" sh \"$1\"";

static int note_history(struct shell_wrap *wrap, const struct tool_shell *shell, struct error *err)
{
	int n;

	wrap->env[0] = wrap->env[1] = NULL;
	if (!shell->workspace)
		return 0;
	n = snprintf(wrap->history, sizeof(wrap->history), "HISTFILE=%s" SHELL_HISTORY,
		shell->workspace);
	if (n >= (int)sizeof(wrap->history))
		return error_set(err, ENAMETOOLONG, "path of the workspace: %d bytes", n);
	wrap->env[0] = wrap->history;
	return 0;
}

int shell_wrap(struct shell_wrap *wrap, const struct tool_shell *shell, const char *command,
	bool has_bash, struct error *err)
{
	const char *const direct[] = {"bash", "-c", wrap->script, "bash", command, NULL, NULL};
	const char *const found[] = {"sh", "-c", find_shell, "sh", command, wrap->script, NULL};
	uint64_t random;
	size_t n;

	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		return error_errno(err, "getrandom");
	snprintf(wrap->mark, sizeof(wrap->mark), "%016llx", (unsigned long long)random);
	n = shell->workspace ? sizeof(NOTE) - 1 : 0;
	_Static_assert(sizeof(NOTE) + sizeof(WRAP) + 2 * SHELL_MARK_SIZE < SHELL_SCRIPT_MAX,
		"raise SHELL_SCRIPT_MAX");
	memcpy(wrap->script, NOTE, n);
	snprintf(wrap->script + n, sizeof(wrap->script) - n, WRAP, wrap->mark, wrap->mark);
	memcpy(wrap->argv, has_bash ? direct : found, sizeof(direct));
	return note_history(wrap, shell, err);
}

int shell_wrap_script(struct shell_wrap *wrap, const struct tool_shell *shell, const char *command,
	const char *script, struct error *err)
{
	const char *const argv[] = {"sh", "-c", wrap->script, "sh", command, NULL, NULL};
	int n = snprintf(
		wrap->script, sizeof(wrap->script), "%s%s", shell->workspace ? NOTE : "", script);

	if (n >= (int)sizeof(wrap->script))
		return error_set(err, E2BIG, "script of %d bytes", n);
	wrap->mark[0] = '\0';
	memcpy(wrap->argv, argv, sizeof(argv));
	return note_history(wrap, shell, err);
}

/* A session's directory is shown, stored and sent on: text without control characters only. */
static bool is_cwd(const char *path, size_t length)
{
	if (length == 0 || length >= TOOL_PATH_MAX || path[0] != '/')
		return false;
	for (size_t i = 0; i < length; i++)
		if ((unsigned char)path[i] < 0x20 || path[i] == 0x7f)
			return false;
	return text_is_utf8(path, length);
}

bool shell_learn(struct tool_shell *shell, const char *mark, const char *data, size_t size)
{
	size_t length = strlen(mark);

	if (length == 0 || size < length + 2 || memcmp(data, mark, length) != 0 ||
		data[length] != '\n' || data[size - 1] != '\n')
		return false;
	data += length + 1;
	size -= length + 2;
	if (!is_cwd(data, size))
		return false;
	memcpy(shell->cwd, data, size);
	shell->cwd[size] = '\0';
	return true;
}
