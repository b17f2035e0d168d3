/**
 * Varlink, the convention of systemd's services: calls and replies of JSON, each ended by a zero
 * byte, over a Unix socket. {@code varlinkctl} speaks it.
 *
 * @see <a href="https://varlink.org/">varlink.org</a>
 */
package org.gatun.broker.service.varlink;
