#include "agentd/id.h"

#include <stdint.h>
#include <stdio.h>
#include <sys/random.h>

void id_make(const char *prefix, char *to, size_t size)
{
	uint64_t random[2];

	while (getrandom(random, sizeof(random), 0) != sizeof(random))
		; /* interrupted */
	snprintf(to, size, "%s-%016llx%016llx", prefix, (unsigned long long)random[0],
		(unsigned long long)random[1]);
}
