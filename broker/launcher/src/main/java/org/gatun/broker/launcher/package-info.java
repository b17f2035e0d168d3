/** What runs in a guest's process before the guest does, and what it is told by the broker. */
package org.gatun.broker.launcher;
