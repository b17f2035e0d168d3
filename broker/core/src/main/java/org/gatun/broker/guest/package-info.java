/** Guests in this process: {@link org.gatun.broker.guest.InProcessGuest}. */
package org.gatun.broker.guest;
