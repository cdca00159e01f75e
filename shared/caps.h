/*
 * caps.h - give capabilities up.
 *
 * keep: a bit for each that stays.  -1 and errno when the kernel will not.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CF_CAPS_H
#define CF_CAPS_H

int	caps_bound(unsigned long long keep);	/* what an execve(2) could ever give */
int	caps_drop(unsigned long long keep);	/* the other four sets; what is kept survives execve(2) */

#endif
