/* What a wrong word was most likely meant to be. */
#ifndef IKE_LIKE_H
#define IKE_LIKE_H

/* Single letters added, left out, changed or swapped with a neighbour that lead from a to
 * b, without regard to the case of ASCII.  Beyond `most`, or when one of them has more
 * than 64 octets: `most` + 1. */
unsigned ike_like_distance(const char *a, const char *b, unsigned most);

#endif
