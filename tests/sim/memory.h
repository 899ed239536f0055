/* How many blocks of memory are in use: the simulator is linked with -Wl,--wrap, so that
 * what it and the libraries allocate passes by here. */
#ifndef SIM_MEMORY_H
#define SIM_MEMORY_H

long memory_blocks(void);

#endif
