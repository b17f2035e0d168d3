/** Tests reach their devices over a socket. */
package org.gatun.vfiouser.testkit;
