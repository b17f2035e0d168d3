/** Serves a device to a client. */
package org.gatun.vfiouser.server;
