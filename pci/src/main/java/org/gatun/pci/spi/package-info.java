/** What backends and guests implement, and how both are found. */
package org.gatun.pci.spi;
