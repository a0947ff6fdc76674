#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <string.h>

#include "nsjail-lite/seccomp.h"

uint32_t seccomp_evaluate(const struct seccomp_program *program, uint32_t arch, uint32_t number,
	const uint64_t arguments[6])
{
	struct seccomp_data data = {.nr = (int)number, .arch = arch};
	uint32_t a = 0;

	memcpy(data.args, arguments, sizeof(data.args));
	for (uint32_t pc = 0; pc < program->count; pc++) {
		const struct sock_filter *i = &program->instructions[pc];
		bool yes = false;

		switch (i->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			memcpy(&a, (const char *)&data + i->k, sizeof(a));
			continue;
		case BPF_ALU | BPF_AND | BPF_K:
			a &= i->k;
			continue;
		case BPF_RET | BPF_K:
			return i->k;
		case BPF_JMP | BPF_JA:
			pc += i->k;
			continue;
		case BPF_JMP | BPF_JEQ | BPF_K:
			yes = a == i->k;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			yes = a >= i->k;
			break;
		case BPF_JMP | BPF_JSET | BPF_K:
			yes = (a & i->k) != 0;
			break;
		}
		pc += yes ? i->jt : i->jf;
	}
	return SECCOMP_RET_KILL_PROCESS;
}
