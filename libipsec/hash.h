/* uthash that reports a lack of memory instead of ending the program: after an add that
 * failed, `hh.tbl` of the element is NULL and the table is as it was.  The keys are ours
 * (ids, configured names), so any spread of them will do. */
#ifndef IPSEC_HASH_H
#define IPSEC_HASH_H

#define HASH_NONFATAL_OOM 1
#define uthash_nonfatal_oom(element) ((void)(element))
#define HASH_FUNCTION HASH_FNV
#include <uthash.h>

#endif
