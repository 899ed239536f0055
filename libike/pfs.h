/* Which groups ESP proposals offer outside IKE_AUTH, RFC 7296 1.3.1. */
#ifndef IKE_PFS_H
#define IKE_PFS_H

#include "libike/connection_built.h"

/* Makes `esp` say what `pfs` means.  OFF: no group, and NONE only where it was named.
 * PREFER: its groups, then NONE.  REQUIRE: its groups, and no NONE.  A proposal that
 * names none of its own has those of `ike`; one that names NONE and no group keeps to
 * that with PREFER.  Within IKE_AUTH none of them is sent (ike_build_sa).  False: no memory; each
 * proposal is then as before or as it should be. */
bool ike_pfs_apply(enum ike_pfs, const struct ike_proposals *ike,
    struct ike_proposals *esp);
/* Does it name NONE and no group?  With REQUIRE that cannot be meant. */
bool ike_pfs_refuses(const struct ike_proposal *);

#endif
