/*
 * probe.h - between confinement.c and the program that it starts inside a sandbox.
 *
 * hearth-doctor-probe WHAT [PATH]: exit status 0 when all was refused, else the number of the attempt
 * that was not. A status is all that comes out: nobody has to parse what a sandbox says.
 */
#ifndef NSJAIL_LITE_DOCTOR_PROBE_H
#define NSJAIL_LITE_DOCTOR_PROBE_H

enum probe_result {
	PROBE_REFUSED,
	/* marker PATH */
	PROBE_READ,	    /* by its path */
	PROBE_READ_ABOVE,   /* above the root */
	PROBE_READ_BY_INIT, /* through PID 1's root */
	/* mount */
	PROBE_MOUNT,
	PROBE_FSOPEN,
	PROBE_UMOUNT,
	/* unshare */
	PROBE_UNSHARE_USER,
	PROBE_UNSHARE_MOUNT,
	PROBE_CLONE_USER,
	/* init */
	PROBE_TRACE_INIT,
	PROBE_KILL_INIT,
	PROBE_RESULTS,

	PROBE_USAGE = 100,
};
#endif
