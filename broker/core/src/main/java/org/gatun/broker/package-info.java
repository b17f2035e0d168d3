/**
 * Owning devices and granting them: {@link org.gatun.broker.Broker} seizes a device, {@link
 * org.gatun.broker.Grant} is a guest's right to some, and {@link org.gatun.broker.GrantedDevice} is
 * what the guest drives.
 */
package org.gatun.broker;
