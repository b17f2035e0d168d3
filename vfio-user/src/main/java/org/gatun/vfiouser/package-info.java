/** The vfio-user protocol: a backend with the scheme {@code vfio-user}, and a server. */
package org.gatun.vfiouser;
