/*
 * cleanup.h - locals that clean up after themselves, and handing ownership on.
 *
 * Every side uses it. auto_close and auto_free run when the variable leaves its scope; take_fd()
 * and take_ptr() move the value out, so that what was handed on is not cleaned up here as well.
 */
#ifndef BASE_CLEANUP_H
#define BASE_CLEANUP_H
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

/* Close an fd that may be -1; errno survives. */
static inline void fd_close(int fd)
{
	int saved = errno;

	if (fd >= 0)
		close(fd);
	errno = saved;
}

static inline void cleanup_close(int *fd)
{
	fd_close(*fd);
}

static inline void cleanup_free(void *p)
{
	free(*(void **)p);
}

#define auto_close __attribute__((cleanup(cleanup_close)))
#define auto_free  __attribute__((cleanup(cleanup_free)))

/* The fd leaves *fd, which becomes -1. */
static inline int take_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

/* The pointer leaves *(p), which becomes NULL. */
#define take_ptr(p)                                                                                \
	({                                                                                         \
		__typeof__(*(p)) taken_ = *(p);                                                    \
		*(p) = NULL;                                                                       \
		taken_;                                                                            \
	})

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#endif
