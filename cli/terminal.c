/* terminal.c - raw mode, size. */
#include "cli/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include "base/error.h"

int terminal_make_raw(struct terminal *terminal, bool with_keys, struct error *err)
{
	struct termios raw;

	terminal->is_raw = false;
	if (!isatty(STDIN_FILENO))
		return 0;
	if (tcgetattr(STDIN_FILENO, &terminal->before) < 0)
		return error_errno(err, "terminal");
	raw = terminal->before;
	raw.c_oflag &= ~(tcflag_t)OPOST; /* the terminal inside has made its \r\n */
	if (with_keys)
		cfmakeraw(&raw);
	if (tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) < 0)
		return error_errno(err, "terminal");
	terminal->is_raw = true;
	return 0;
}

void terminal_restore(struct terminal *terminal)
{
	if (terminal->is_raw)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &terminal->before);
	terminal->is_raw = false;
}

void terminal_size(uint16_t *ret_rows, uint16_t *ret_columns)
{
	struct winsize size = {0};

	if ((ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0 ||
		    ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0) &&
		size.ws_row && size.ws_col) {
		*ret_rows = size.ws_row;
		*ret_columns = size.ws_col;
		return;
	}
	*ret_rows = 24;
	*ret_columns = 80;
}
