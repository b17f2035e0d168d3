/** System calls, raw. */
package org.gatun.hostile.nativehelper;
