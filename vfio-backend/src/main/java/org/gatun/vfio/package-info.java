/** PCI devices through VFIO: the backend with the scheme {@code vfio}. */
package org.gatun.vfio;
