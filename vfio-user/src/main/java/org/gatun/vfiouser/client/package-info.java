/** A device that somebody serves. */
package org.gatun.vfiouser.client;
