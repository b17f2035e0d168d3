/** Messages and connections of the vfio-user protocol, for both ends. */
package org.gatun.vfiouser.wire;
