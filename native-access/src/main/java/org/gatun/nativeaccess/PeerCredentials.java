package org.gatun.nativeaccess;

/**
 * Who is at the other end of a socket: of a connection, who connected or listened, as it was then.
 *
 * @param pid the process, as this process's PID namespace numbers it; 0 if it is not in it
 * @param uid the effective user, as this process's user namespace numbers it
 * @param gid the effective group, likewise
 */
public record PeerCredentials(int pid, int uid, int gid) {}
